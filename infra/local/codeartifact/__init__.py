"""AWS CodeArtifact on one machine: the control plane for boto3 and the index for pip, over one `CodeArtifact`."""
