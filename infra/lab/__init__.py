"""What only measures: nothing here is deployed, and nothing that is deployed needs it."""
