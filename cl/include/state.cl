/* struct clv_step_state of src/step/state.h. Take it as IN_STATE and read STATE->n. */
typedef struct {
    int n;
    float inv_n;
    uint step;
    float rate;
    float learning_rate;
    float scalar[4];
    uint seed[2];
    uint skipped;
    float rate_behind;
    float loss_scale;
    uint skip;
    float mix_keep;
    uint mix_box[4];
} step_state;
#define IN_STATE __global const uint *restrict state_words, ulong state_off
#define STATE ((__global const step_state *)(state_words + state_off))
/* Global index of sample i of the batch. */
#define SAMPLE_INDEX(i) (state_words[state_off + 20 + (i)])
