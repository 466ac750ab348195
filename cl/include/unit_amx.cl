/* Intel AMX: tiles of 16 rows by 64 bytes. Registers 0 to 3 hold the sums of a block of 2 x 2 tiles, 4
 * and 5 the rows of a, 6 and 7 the columns of b; the compiler knows nothing of them and leaves them alone.
 * Addresses go in as integers: a pointer's address space means nothing to the assembler.
 * Encodings: Intel's Software Developer's Manual, volume 2, TDPBF16PS and LDTILECFG. */
#define UNIT_ROWS 32
#define UNIT_ITEMS 1
typedef struct {
    uchar palette, start_row, reserved[14];
    ushort row_bytes[16];
    uchar rows[16];
} unit_tiles;
#define UNIT_SUMS unit_tiles unit_tile
#define UNIT_BEGIN                                                                                 \
    do {                                                                                           \
        for (int i_ = 0; i_ < 16; i_++) {                                                          \
            unit_tile.row_bytes[i_] = i_ < 8 ? 64 : 0;                                             \
            unit_tile.rows[i_] = i_ < 8 ? 16 : 0;                                                  \
        }                                                                                          \
        for (int i_ = 0; i_ < 14; i_++)                                                            \
            unit_tile.reserved[i_] = 0;                                                            \
        unit_tile.palette = 1;                                                                     \
        unit_tile.start_row = 0;                                                                   \
        __asm__ volatile("ldtilecfg %0" : : "m"(unit_tile) : "memory");                            \
    } while (0)
#define UNIT_END __asm__ volatile("tilerelease" : : : "memory")
#define UNIT_ZERO                                                                                  \
    __asm__ volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3"    \
                     : : : "memory")
#define UNIT_ADDRESS(p) ((ulong)(size_t)(p))
/* A block's rows are 32 floats: 128 bytes. */
#define UNIT_LOAD(c)                                                                               \
    __asm__ volatile("tileloadd (%0,%4,1), %%tmm0\n\ttileloadd (%1,%4,1), %%tmm1\n\t"              \
                     "tileloadd (%2,%4,1), %%tmm2\n\ttileloadd (%3,%4,1), %%tmm3"                  \
                     : : "r"(UNIT_ADDRESS(c)), "r"(UNIT_ADDRESS((c) + 16)),                        \
                       "r"(UNIT_ADDRESS((c) + 16 * UNIT_COLUMNS)),                                 \
                       "r"(UNIT_ADDRESS((c) + 16 * UNIT_COLUMNS + 16)), "r"((ulong)128)            \
                     : "memory")
#define UNIT_STORE(c)                                                                              \
    __asm__ volatile("tilestored %%tmm0, (%0,%4,1)\n\ttilestored %%tmm1, (%1,%4,1)\n\t"            \
                     "tilestored %%tmm2, (%2,%4,1)\n\ttilestored %%tmm3, (%3,%4,1)"                \
                     : : "r"(UNIT_ADDRESS(c)), "r"(UNIT_ADDRESS((c) + 16)),                        \
                       "r"(UNIT_ADDRESS((c) + 16 * UNIT_COLUMNS)),                                 \
                       "r"(UNIT_ADDRESS((c) + 16 * UNIT_COLUMNS + 16)), "r"((ulong)128)            \
                     : "memory")
#define UNIT_STEP(a, row, b)                                                                       \
    __asm__ volatile("tileloadd (%0,%4,1), %%tmm4\n\ttileloadd (%2,%5,1), %%tmm6\n\t"              \
                     "tileloadd (%3,%5,1), %%tmm7\n\ttileloadd (%1,%4,1), %%tmm5\n\t"              \
                     "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"    \
                     "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3"        \
                     : : "r"(UNIT_ADDRESS(a)), "r"(UNIT_ADDRESS((a) + 16 * (row))),                \
                       "r"(UNIT_ADDRESS(b)), "r"(UNIT_ADDRESS((b) + 256)), "r"((ulong)(row) * 2),  \
                       "r"((ulong)64)                                                              \
                     : "memory")
