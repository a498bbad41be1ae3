"""The local AWS: ministack with the mends that Souk needs. README.md in the folder above lists them."""
