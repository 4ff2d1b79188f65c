"""Spot finding on one image at a time; stands alone, knows nothing of watching or clusters."""
