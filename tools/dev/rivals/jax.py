"""JAX: the network by hand, Adam as Kingma and Ba give it, everything in one jitted function."""
from . import common


def start(threads):
    del threads  # XLA takes the processors that the driver leaves this process
    import jax

    return f"JAX {jax.__version__}"


def weights():
    import jax.numpy as jnp
    import numpy as np

    rng = np.random.default_rng(0)
    shapes = [(3, 3, c, f) for c, f in zip(common.CHANNELS, common.CHANNELS[1:])]
    shapes += [(common.FLAT, common.HIDDEN), (common.HIDDEN, common.CLASSES)]
    return [(jnp.asarray(rng.standard_normal(s, np.float32) * np.float32(0.02)), jnp.zeros(s[-1])) for s in shapes]


def forward(w, x):
    import jax
    from jax import lax

    for kernel, bias in w[:4]:
        x = lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x + bias)
        x = lax.reduce_window(x, -jax.numpy.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jax.nn.relu(x.reshape(x.shape[0], -1) @ w[4][0] + w[4][1])
    return x @ w[5][0] + w[5][1]


def adam(w, m, v, g, t):
    import jax
    import jax.numpy as jnp

    m = jax.tree.map(lambda a, b: .9 * a + .1 * b, m, g)
    v = jax.tree.map(lambda a, b: .999 * a + .001 * b * b, v, g)
    w = jax.tree.map(lambda a, b, c: a - 1e-3 * (b / (1 - .9 ** t)) / (jnp.sqrt(c / (1 - .999 ** t)) + 1e-7), w, m, v)
    return w, m, v


def model(batch, training):
    import jax
    import jax.numpy as jnp
    import numpy as np

    x = jnp.asarray(common.images(batch))
    if not training:
        infer, w = jax.jit(lambda w, x: jax.nn.softmax(forward(w, x))), weights()
        return lambda: np.asarray(infer(w, x))
    y = jnp.eye(common.CLASSES)[common.labels(batch)]

    def loss(w):
        return -jnp.mean(jnp.sum(jax.nn.log_softmax(forward(w, x)) * y, -1))

    def step(w, m, v, t):
        value, g = jax.value_and_grad(loss)(w)
        return value, *adam(w, m, v, g, t)

    jitted = jax.jit(step, donate_argnums=(0, 1, 2))
    state = [weights(), *(jax.tree.map(jnp.zeros_like, weights()) for _ in range(2))]
    steps = [0]

    def train():
        steps[0] += 1
        value, *state[:] = jitted(*state, float(steps[0]))
        jax.block_until_ready(state)
        return float(value)

    return train


def gemm(m, n, k):
    import jax
    import jax.numpy as jnp

    a, b = (jnp.asarray(x) for x in common.matrices(m, n, k))
    product = jax.jit(jnp.matmul)
    return lambda: product(a, b).block_until_ready()
