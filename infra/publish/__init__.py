"""Publish in-house packages to the CodeArtifact repository, as the publisher and nobody else."""
