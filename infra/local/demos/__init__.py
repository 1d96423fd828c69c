"""The programs of `make local`, `make demo` and similar verbs, on the AWS of this machine."""
