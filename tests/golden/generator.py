"""The ladder's generator: weights, images, labels and sign sketches from Philox4x32-10.

docs/ladder.md describes it; src/base/rng.h holds the same Philox in C. Everything is exact in
float32, so that both programs start from the same bits.
"""
import math

import numpy as np

SEED = 20261123
IMAGES, LABELS, SIGNS = 0x10000, 0x20000, 0x30000  # tensor numbers; parameters are 0 to 11
HEAD = 8  # the first dense kernel
N_SIGNS = 32
CHUNK = 1 << 18
# Per image size: samples in a batch, images = byte / divisor, and how the first dense kernel is made
# from u: (u - shift) * scale / divisor. docs/ladder.md says why 224 differs.
SIZES = {
    48: {"batch": 32, "image_divisor": 256, "head_shift": 0.5, "head_divisor": 1},
    224: {"batch": 8, "image_divisor": 1024, "head_shift": 0.25, "head_divisor": 32},
}


def philox(key, counter):
    """Philox4x32-10: four words for a 64-bit key and four counter words (uint64 arrays or ints).

    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    x0, x1, x2, x3 = (np.asarray(c, np.uint64) for c in counter)
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        p0 = x0 * np.uint64(0xD2511F53)
        p1 = x2 * np.uint64(0xCD9E8D57)
        x0, x1, x2, x3 = ((p1 >> half) ^ x1 ^ np.uint64(k0), p1 & mask,
                          (p0 >> half) ^ x3 ^ np.uint64(k1), p0 & mask)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return x0, x1, x2, x3


def words(lo, hi, tensor):
    """The first output word of elements lo..hi-1 of a tensor."""
    return philox(SEED, (np.arange(lo, hi), 0, tensor, 0))[0].astype(np.uint32)


def chunks(n):
    return ((lo, min(lo + CHUNK, n)) for lo in range(0, n, CHUNK))


def all_words(n, tensor):
    out = np.empty(n, np.uint32)
    for lo, hi in chunks(n):
        out[lo:hi] = words(lo, hi, tensor)
    return out


def centred(n, tensor):
    """u - 0.5 for u = (word >> 8) * 2^-24: exact, in [-0.5, 0.5)."""
    u = (all_words(n, tensor) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    return u - np.float32(0.5)


def shapes(size):
    """Parameter shapes in graph order, filters HWIO, dense [in][out]."""
    result, channels = [], 3
    for filters in (32, 64, 128, 128):
        result += [(3, 3, channels, filters), (filters,)]
        channels, size = filters, (size - 2) // 2
    features = size * size * channels
    return result + [(features, 1024), (1024,), (1024, 2), (2,)]


def parameters(size):
    """Glorot-uniform weights, biases in [-0.05, 0.05); one float32 rounding per value."""
    result = []
    for tensor, shape in enumerate(shapes(size)):
        values = centred(int(np.prod(shape)), tensor)
        if len(shape) == 1:
            scale = np.float32(0.1)
        else:
            field = int(np.prod(shape[:-2]))  # 9 for a 3x3 filter, 1 for dense
            scale = np.float32(2.0 * math.sqrt(6.0 / (field * shape[-2] + field * shape[-1])))
        if tensor == HEAD:
            values += np.float32(0.5 - SIZES[size]["head_shift"])
            scale /= np.float32(SIZES[size]["head_divisor"])
        result.append((values * scale).reshape(shape))
    return result


def batch(b, size):
    """Images (n, size, size, 3) as float32 byte / divisor and labels (n,).

    The left half of an image of class 0, the right half of class 1, has half the brightness.
    """
    count, divisor = SIZES[size]["batch"], np.float32(SIZES[size]["image_divisor"])
    labels = (all_words(count, LABELS + b) & np.uint32(1)).astype(np.int64)
    pixels = all_words(count * size * size * 3, IMAGES + b) >> np.uint32(24)
    pixels = pixels.reshape(count, size, size, 3)
    right = (np.arange(size) >= size // 2)[None, :, None]
    dark = right == (labels == 1)[:, None, None, None]
    return np.where(dark, pixels >> np.uint32(1), pixels).astype(np.float32) / divisor, labels


def sketch(values, tensor):
    """32 signed sums in double: sum j adds element i where bit j of the first word of counter
    (i, 0, 0x30000 + tensor, 0) is set and subtracts it where it is not."""
    flat = np.asarray(values, np.float64).reshape(-1)
    plus = np.zeros(N_SIGNS)
    for lo, hi in chunks(flat.size):
        octets = words(lo, hi, SIGNS + tensor).astype("<u4").view(np.uint8).reshape(-1, 4)
        plus += flat[lo:hi] @ np.unpackbits(octets, axis=1, bitorder="little").astype(np.float64)
    return 2 * plus - flat.sum()


def self_test():
    """The published answers of Random123 (kat_vectors, philox4x32 10)."""
    def answer(key, counter):
        return [int(w) for w in philox(key, counter)]
    ones = 0xFFFFFFFF
    assert answer(0, (0,) * 4) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert answer(ones << 32 | ones, (ones,) * 4) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    assert answer(0x299F31D0A4093822, (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)) == [
        0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


self_test()
