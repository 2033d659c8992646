"""From aligned tables to losses, log-likelihoods and one objective."""
