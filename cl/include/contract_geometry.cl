/* Geometry of a convolution as every contract kernel takes it: the input x is [n][ih][iw][ci], the
 * output y [n][oh][ow][co], input row = oh * stride_h - pad_top + kh * dil_h. Pitches are elements
 * from pixel to pixel. Filled by contract_geometry_args() in src/contract. */
#define GEOMETRY                                                                                   \
    int ih, int iw, int ci, int x_pitch, int oh, int ow, int co, int y_pitch, int kh, int kw,      \
        int stride_h, int stride_w, int dil_h, int dil_w, int pad_top, int pad_left
/* To pass it on. */
#define GEOMETRY_ARGS                                                                              \
    ih, iw, ci, x_pitch, oh, ow, co, y_pitch, kh, kw, stride_h, stride_w, dil_h, dil_w, pad_top,   \
        pad_left
