"""How a torch model answers: prefill, shared prefixes, batching, prompt lookup, caches."""
