"""AWS CodeArtifact on one machine: a control plane for boto3 and an index for pip, both on one `CodeArtifact`."""
