"""Publish in-house packages to the CodeArtifact repository, with the publisher's role only."""
