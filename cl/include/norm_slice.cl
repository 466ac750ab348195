/* Where a work-item of norm.cl works. whole: the set is the batch, else each sample is one. slices: of a set, at full
 * batch; a short batch leaves the last of them without pixels. */
#define SLICES int per_sample, int whole, int slices, int span, int c
typedef struct {
    int set, ch, count; /* of pixels; <= 0: nothing to do */
    ulong first;        /* pixel, in the batch */
    ulong slice;        /* in the batch */
} norm_slice;

static inline norm_slice norm_begin(int n, int per_sample, int whole, int slices, int span, int c)
{
    const uint blocks = (uint)c / (W * V);
    const ulong id = get_global_id(0);
    const int pixels = whole ? n * per_sample : per_sample, sets = whole ? 1 : n;
    norm_slice s;
    s.slice = id / blocks;
    s.ch = (int)(id % blocks) * (W * V);
    s.set = (int)(s.slice / (uint)slices);
    const int begin = (int)(s.slice % (uint)slices) * span;
    s.first = (ulong)s.set * pixels + begin;
    s.count = s.set < sets ? min(span, pixels - begin) : 0;
    return s;
}
