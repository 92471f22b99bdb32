"""A diagnosis of one or more models: which mechanism of attention fails, and from which length on."""
