"""Years of operation in virtual time over the real refresh(), beside the sample's policy."""
