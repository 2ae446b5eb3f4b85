"""libFuzzer over the media core: `make fuzz-core TARGET=packets SECONDS=600`."""
