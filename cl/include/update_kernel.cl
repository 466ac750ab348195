__kernel void update(IN_STATE, OUT(value), IN(grad), OUT(slot0), OUT(slot1), IN(chunks), IN(control))
{
    AT(value); AT(grad); AT(slot0); AT(slot1); AT(chunks); AT(control);
    const size_t chunk = get_group_id(0);
    const chunk_constants c = ((__global const chunk_constants *)chunks)[chunk];
    const float factor = control[0];
    if (c.rate == 0.0f)
        return;
    for (int i = (int)get_local_id(0); i < CHUNK / 16; i += (int)get_local_size(0)) {
        const size_t at = chunk * (CHUNK / 16) + i;
        float16 w = vload16(at, value);
        const float16 g = penalised(vload16(at, grad), w, c.l1, c.l2) * factor;
#if SLOTS > 0
        float16 s0 = vload16(at, slot0);
#else
        float16 s0 = 0.0f;
#endif
#if SLOTS > 1
        float16 s1 = vload16(at, slot1);
#else
        float16 s1 = 0.0f;
#endif
        step16(&w, g, &s0, &s1, STATE, c);
        vstore16(w, at, value);
#if SLOTS > 0
        vstore16(s0, at, slot0);
#endif
#if SLOTS > 1
        vstore16(s1, at, slot1);
#endif
    }
}
