"""Engines: language models behind one `call`.  See README.md for what stands where."""
