"""filewatcher: live analysis of X-ray diffraction images while the detector is still writing them."""
