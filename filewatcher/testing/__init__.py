"""The simulated detector, fakes and contract suites; never imported at run time."""
