/* Passes over pixels and channel vectors. A row is an image row of one sample; it holds w * (c / V) cells.
 * A work-item takes `span` cells of one row: the whole row on a CPU, one cell on a GPU.
 *     const cells s = cells_begin(h, w, c, span);
 *     if (s.sample >= STATE->n) return;
 *     cell k = s.first;
 *     for (uint i = s.count; i > 0; i--, cell_next(&k, c)) ... k.x, k.ch ...                      */
typedef struct { int x, ch; } cell;
typedef struct { int sample, y; cell first; uint count; } cells;
static inline cells cells_begin(int h, int w, int c, uint span)
{
    const uint per_row = (uint)w * (uint)(c / V), items = (per_row + span - 1) / span;
    const ulong id = get_global_id(0);
    const ulong row = id / items;
    const uint begin = (uint)(id % items) * span;
    cells s;
    s.sample = (int)(row / (uint)h);
    s.y = (int)(row % (uint)h);
    s.first.x = (int)(begin / (uint)(c / V));
    s.first.ch = (int)(begin % (uint)(c / V)) * V;
    s.count = min(span, per_row - begin);
    return s;
}
static inline void cell_next(cell *k, int c)
{
    k->ch += V;
    if (k->ch >= c) {
        k->ch = 0;
        k->x++;
    }
}
/* Index of a pixel of a sample, in elements. */
static inline ulong pixel_at(int sample, int y, int x, int h, int w, uint pitch)
{
    return (((ulong)sample * (uint)h + (uint)y) * (uint)w + (uint)x) * pitch;
}
