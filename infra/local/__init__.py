"""Stand-ins that let the same stacks be deployed and used on one machine, without an AWS account."""
