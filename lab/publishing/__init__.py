"""Publishing a finished run to a repository on the Hugging Face Hub: bundle, card, upload, verification."""
