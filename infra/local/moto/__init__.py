"""What moto lacks, added to it: each replaced function is named in a module's ``install`` and nowhere else."""
