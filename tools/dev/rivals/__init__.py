"""What tools/dev/peers compares, one module each.

A module offers what it can:
    start(threads) -> str             imports the library and limits it; returns name and version
    model(batch, training) -> call    the tutorial CNN: one step from host memory to the loss, or one
                                      batch of probabilities, both readable on the host when the call returns
    gemm(m, n, k) -> call             fp32, C[m][n] = A[m][k] B[k][n]
    measure(quantity) -> seconds      instead of these two, for what is timed by a program of its own
    memory() -> {name: bytes}         of training at batch 32, in a fresh process
Only start() imports anything heavy, so that a missing package is found there.
"""
