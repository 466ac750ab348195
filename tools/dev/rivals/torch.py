"""PyTorch in channels-last order, as its performance guide advises for CPUs."""
from . import common

compiled = False


def start(threads):
    import torch

    torch.set_num_threads(threads)
    return f"PyTorch {torch.__version__.split('+')[0]}{' compiled' if compiled else ''}, channels last"


def network():
    import torch
    from torch import nn

    layers = []
    for c, f in zip(common.CHANNELS, common.CHANNELS[1:]):
        layers += [nn.Conv2d(c, f, 3), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(common.FLAT, common.HIDDEN), nn.ReLU(), nn.Linear(common.HIDDEN, common.CLASSES)]
    net = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    return torch.compile(net) if compiled else net


def model(batch, training):
    import torch

    x = torch.from_numpy(common.images(batch, planar=True)).contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(common.labels(batch))
    net = network()
    adam = torch.optim.Adam(net.parameters(), 1e-3, foreach=True)

    def train():
        adam.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        adam.step()
        return loss.item()

    def infer():
        with torch.inference_mode():
            return torch.softmax(net(x), 1).numpy()

    return train if training else infer


def gemm(m, n, k):
    import torch

    a, b = (torch.from_numpy(x) for x in common.matrices(m, n, k))
    c = torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)


def memory():
    """Resident bytes that training takes: from before the model is made to after step three, and at most on the way."""
    import torch

    torch.ones(8, requires_grad=True).sum().backward()  # the threads and libraries that any use starts
    before = common.resident_bytes()
    common.forget_peak()
    step = model(32, True)
    for _ in range(3):
        step()
    return {"growth_bytes": common.resident_bytes() - before, "peak_growth_bytes": common.resident_bytes(True) - before}
