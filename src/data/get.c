/* The data sets that can be downloaded by name.
 *
 * MedMNIST v2 (Yang et al., Scientific Data 10, 41, 2023): names, addresses, sums, counts and
 * licences from info.py of PyPI's medmnist 3.0.2, which names https://zenodo.org/records/10519652.
 * Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv:1708.07747): address and sums from the table in
 * github.com/zalandoresearch/fashion-mnist's README; torchvision carries the same sums. */
#include "data/get.h"
#include "base/context.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/util.h"
#include "data/download.h"
#include <clavicle/data.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZENODO "https://zenodo.org/records/10519652"
#define FASHION "https://github.com/zalandoresearch/fashion-mnist"

/* X(name, title, licence, MD5, bytes): bytes where they are known for sure, else 0. */
#define MEDMNIST_MAP(X)                                                                            \
    X("pathmnist", "PathMNIST: colon pathology, 9 classes, RGB 28x28, 107180 images", "CC BY 4.0", \
      "a8b06965200029087d5bd730944a56c1", 205615438)                                               \
    X("chestmnist", "ChestMNIST: chest X-ray, 14 findings (multi-label), 28x28, 112120 images",    \
      "CC BY 4.0", "02c8a6516a18b556561a56cbdd36c4a8", 0)                                          \
    X("dermamnist", "DermaMNIST: dermatoscope, 7 classes, RGB 28x28, 10015 images",                \
      "CC BY-NC 4.0", "0744692d530f8e62ec473284d019b0c7", 0)                                       \
    X("octmnist", "OCTMNIST: retinal OCT, 4 classes, 28x28, 109309 images", "CC BY 4.0",           \
      "c68d92d5b585d8d81f7112f81e2d0842", 0)                                                       \
    X("pneumoniamnist", "PneumoniaMNIST: chest X-ray, 2 classes, 28x28, 5856 images", "CC BY 4.0", \
      "28209eda62fecd6e6a2d98b1501bb15f", 4170669)                                                 \
    X("retinamnist", "RetinaMNIST: fundus camera, 5 grades, RGB 28x28, 1600 images", "CC BY 4.0",  \
      "bd4c0672f1bba3e3a89f0e4e876791e4", 0)                                                       \
    X("breastmnist", "BreastMNIST: breast ultrasound, 2 classes, 28x28, 780 images", "CC BY 4.0",  \
      "750601b1f35ba3300ea97c75c52ff8f6", 559580)                                                  \
    X("bloodmnist", "BloodMNIST: blood cells, 8 classes, RGB 28x28, 17092 images", "CC BY 4.0",    \
      "7053d0359d879ad8a5505303e11de1dc", 0)                                                       \
    X("tissuemnist", "TissueMNIST: kidney cortex cells, 8 classes, 28x28, 236386 images",          \
      "CC BY 4.0", "ebe78ee8b05294063de985d821c1c34b", 0)                                          \
    X("organamnist", "OrganAMNIST: abdominal CT, axial, 11 organs, 28x28, 58830 images",           \
      "CC BY 4.0", "68e3f8846a6bd62f0c9bf841c0d9eacc", 0)                                          \
    X("organcmnist", "OrganCMNIST: abdominal CT, coronal, 11 organs, 28x28, 23583 images",         \
      "CC BY 4.0", "b9ceb9546e10131b32923c5bbeaea2b1", 0)                                          \
    X("organsmnist", "OrganSMNIST: abdominal CT, sagittal, 11 organs, 28x28, 25211 images",        \
      "CC BY 4.0", "9ab87b696fb54e2a387ebe992d6ed5f1", 0)

#define KNOWN(name, title, licence, md5, bytes) {name, title, licence, ZENODO, 1, bytes},
#define PLACE(name, title, licence, md5, bytes)                                                    \
    {ZENODO "/files/", "?download=1", "medmnist", {{name ".npz", md5}}},

static const struct clv_known_data known[] = {
    MEDMNIST_MAP(KNOWN){"fashion-mnist",
                        "Fashion-MNIST: articles of clothing, 10 classes, 28x28, 70000 images",
                        "MIT", FASHION, 4, 30878645},
};
/* What belongs to the entry of `known` with the same index. */
static const struct clv_place places[] = {
    MEDMNIST_MAP(PLACE){"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/"
                        "data/fashion/",
                        "",
                        "fashion-mnist",
                        {{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
                         {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"},
                         {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"},
                         {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"}}},
};

const struct clv_known_data *clv_data_known(size_t *n)
{
    *n = CLV_COUNT(known);
    return known;
}

static enum clv_err find_known(const char *name, size_t *ret, struct clv_error *err)
{
    struct clv_str names = {0};
    for (size_t i = 0; i < CLV_COUNT(known); i++) {
        if (name && !strcmp(name, known[i].name)) {
            *ret = i;
            clv_str_finish(&names);
            return CLV_OK;
        }
        clv_str_addf(&names, "%s%s", i ? ", " : "", known[i].name);
    }
    const enum clv_err e = clv_fail(err, CLV_ERR_ARG, "no data set is called \"%s\"; known: %s",
                                    name ? name : "", names.text ? names.text : "");
    clv_str_finish(&names);
    return e;
}

/* ---- one file ---- */

struct job {
    struct clv_context *ctx;
    const struct clv_data_get_params *params;
    const struct clv_place *place;
    const char *file, *md5;
    char *target, *part, *url;
};

static bool has_sum(const char *path, const char *md5)
{
    char sum[33];
    return clv_file_exists(path) && !clv_md5_file(path, sum, NULL) && !strcmp(sum, md5);
}

/* A file of the right sum in the mirror, malloc'ed; *ret stays NULL when there is none. */
static enum clv_err find_in_mirror(const struct job *j, char **ret)
{
    const char *mirror = j->params->mirror ? j->params->mirror : getenv("CLAVICLE_DATA");
    if (!mirror || !mirror[0])
        return CLV_OK;
    for (int nested = 1; nested >= 0; nested--) {
        char *path = nested ? clv_strdupf("%s/%s/%s", mirror, j->place->folder, j->file)
                            : clv_path_join(mirror, j->file);
        if (!path)
            return clv_fail_nomem(&j->ctx->err, mirror);
        if (has_sum(path, j->md5)) {
            *ret = path;
            return CLV_OK;
        }
        if (clv_file_exists(path))
            clv_log(j->ctx, CLV_LOG_WARN, "%s has not the MD5 of %s and is not used", path,
                    j->file);
        free(path);
    }
    return CLV_OK;
}

static enum clv_err copy_file(const char *from, const char *to, struct clv_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    CLV_TRY(clv_file_read(from, &data, &size, err));
    const enum clv_err e = clv_file_write(to, data, size, err);
    free(data);
    return e;
}

static enum clv_err publish(const struct job *j)
{
    char reason[128];
    if (rename(j->part, j->target))
        return clv_fail(&j->ctx->err, CLV_ERR_WRITE, "cannot write %s: %s", j->target,
                        clv_errno_text(reason, errno));
    return CLV_OK;
}

/* Downloads and checks. A wrong sum after a resumed download may be an old head with a new tail:
 * then once more from the beginning. */
static enum clv_err fetch_file(const struct job *j)
{
    struct clv_error *err = &j->ctx->err;
    const struct clv_download d = {.url = j->url,
                                   .part = j->part,
                                   .file = j->file,
                                   .progress = j->params->progress,
                                   .priv = j->params->priv};
    for (;;) {
        bool resumed = false;
        char sum[33] = "";
        CLV_TRY(clv_download(&d, &resumed, err));
        CLV_TRY(clv_md5_file(j->part, sum, err));
        if (!strcmp(sum, j->md5))
            return publish(j);
        remove(j->part);
        if (!resumed)
            return clv_fail(err, CLV_ERR_DATA,
                            "%s: what %s sent has MD5 %s, not %s: it is damaged or not the file it "
                            "should be; nothing was kept",
                            j->file, j->url, sum, j->md5);
    }
}

static enum clv_err get_file(const struct job *j)
{
    char *found = NULL;
    if (has_sum(j->target, j->md5))
        return CLV_OK;
    CLV_TRY(find_in_mirror(j, &found));
    if (!found)
        return fetch_file(j);
    const enum clv_err e = copy_file(found, j->target, &j->ctx->err);
    if (!e)
        clv_log(j->ctx, CLV_LOG_INFO, "%s: copied from %s", j->file, found);
    free(found);
    return e;
}

/* ---- the set ---- */

static enum clv_err get_numbered(struct clv_context *ctx, const struct clv_place *place, int i,
                                 const struct clv_data_get_params *params, const char *folder)
{
    const char *file = place->files[i].name, *base = params->base_url;
    struct job j = {
        .ctx = ctx, .params = params, .place = place, .file = file, .md5 = place->files[i].md5};
    j.target = clv_path_join(folder, file);
    j.part = clv_strdupf("%s/%s.part", folder, file);
    j.url =
        base ? clv_path_join(base, file) : clv_strdupf("%s%s%s", place->base, file, place->suffix);
    const enum clv_err e =
        j.target && j.part && j.url ? get_file(&j) : clv_fail_nomem(&ctx->err, file);
    free(j.target);
    free(j.part);
    free(j.url);
    return e;
}

enum clv_err clv_place_get(struct clv_context *ctx, const struct clv_place *place,
                           const struct clv_data_get_params *params, char **path)
{
    char *out =
        params->out ? clv_strdupf("%s", params->out) : clv_xdg_dir("XDG_DATA_HOME", ".local/share");
    if (!out)
        return clv_fail(&ctx->err, CLV_ERR_ARG,
                        "%s: no folder to write to: HOME is not set; name one with --out",
                        place->folder);
    char *result = NULL;
    char *folder = clv_path_join(out, place->folder);
    int n = 0;
    enum clv_err e = folder ? clv_mkdirs(folder, &ctx->err) : clv_fail_nomem(&ctx->err, out);
    for (; n < CLV_PLACE_FILES && place->files[n].name && !e; n++)
        e = get_numbered(ctx, place, n, params, folder);
    if (!e) {
        result = n == 1 ? clv_path_join(folder, place->files[0].name) : clv_strdupf("%s", folder);
        if (!result)
            e = clv_fail_nomem(&ctx->err, folder);
    }
    if (!e)
        *path = result;
    free(folder);
    free(out);
    return e;
}

enum clv_err clv_data_get(struct clv_context *ctx, const char *name,
                          const struct clv_data_get_params *params, char **path)
{
    const struct clv_data_get_params defaults = {0};
    size_t at = 0;
    CLV_TRY(find_known(name, &at, &ctx->err));
    return clv_place_get(ctx, &places[at], params ? params : &defaults, path);
}
