"""Keep the CodeArtifact index-url of an Amazon MWAA environment valid."""
