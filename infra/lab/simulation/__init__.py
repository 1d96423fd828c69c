"""Years of operation in virtual time: the real refresh() under failures and outages, next to the sample's policy."""
