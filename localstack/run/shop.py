"""The shop of an instance: a server on 127.0.0.1 whose pages can be watched."""

from run.module import Module

FLASH_SALE = "/flash-sale"


class Shop(Module):
    name, title = "shop", "shop"
