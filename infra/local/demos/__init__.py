"""What `make local`, `make demo` and their kin do with AWS on this machine."""
