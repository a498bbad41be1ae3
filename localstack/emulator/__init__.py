"""The local AWS: ministack with the corrections that Souk needs. README.md in the folder above lists them."""
