"""The same network through torch.compile(), whose first call takes a minute or two."""
from . import torch as eager


def start(threads):
    eager.compiled = True
    return eager.start(threads)


model = eager.model
