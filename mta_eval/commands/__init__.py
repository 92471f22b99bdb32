"""What the commands do once their arguments are read: the other rooms put together.

asking runs and shows samples; reading and watching look at runs; training, inspection and reproduction are about
checkpoints; terminal prints; arguments turns texts into values.
"""
