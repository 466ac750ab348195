#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "base/file.h"
#include "tmp.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *in(char buf[128], const char *dir, const char *name)
{
    snprintf(buf, 128, "%s/%s", dir, name);
    return buf;
}

static size_t n_entries(const char *dir)
{
    char **names;
    size_t n;
    cr_assert_eq(clv_dir_list(dir, &names, &n, NULL), CLV_OK);
    clv_list_free(names, n);
    return n;
}

static void expect_content(const char *path, const char *text)
{
    unsigned char *data;
    size_t size;
    cr_assert_eq(clv_file_read(path, &data, &size, NULL), CLV_OK);
    cr_assert_eq(size, strlen(text));
    cr_assert_str_eq((char *)data, text);
    free(data);
}

Test(file, write_and_read_back)
{
    char d[64], p[128];
    tmp_dir(d);
    in(p, d, "a.txt");
    umask(022);
    for (size_t size = 0; size < 70000; size = size * 3 + 1) {
        unsigned char *in_bytes = malloc(size + 1), *out_bytes;
        size_t n;
        for (size_t i = 0; i < size; i++)
            in_bytes[i] = (unsigned char)(i * 7);
        cr_assert_eq(clv_file_write(p, in_bytes, size, NULL), CLV_OK);
        cr_assert_eq(clv_file_read(p, &out_bytes, &n, NULL), CLV_OK);
        cr_assert_eq(n, size);
        cr_assert(!memcmp(in_bytes, out_bytes, size));
        cr_assert_eq(out_bytes[n], 0);
        free(in_bytes);
        free(out_bytes);
    }
    struct stat st;
    stat(p, &st);
    cr_assert_eq(st.st_mode & 0777, 0644, "the umask decides, not the temporary file");
    cr_assert_eq(n_entries(d), 1, "a temporary file was left");
    tmp_remove(d);
}

Test(file, files_without_a_size_are_read_whole)
{
    unsigned char *data;
    size_t size;
    cr_assert_eq(clv_file_read("/proc/self/status", &data, &size, NULL), CLV_OK);
    cr_assert_gt(size, 100);
    cr_assert_not_null(strstr((char *)data, "VmPeak"));
    free(data);
}

Test(file, an_aborted_output_leaves_the_old_file)
{
    char d[64], p[128];
    struct clv_out o;
    tmp_dir(d);
    in(p, d, "a.txt");
    cr_assert_eq(clv_file_write(p, "old", 3, NULL), CLV_OK);
    cr_assert_eq(clv_out_open(&o, p, NULL), CLV_OK);
    fputs("half of the n", o.f);
    fflush(o.f);
    expect_content(p, "old");
    clv_out_abort(&o);
    clv_out_abort(&o);
    expect_content(p, "old");
    cr_assert_eq(n_entries(d), 1);
    cr_assert_eq(clv_out_open(&o, p, NULL), CLV_OK);
    fputs("new", o.f);
    cr_assert_eq(clv_out_commit(&o, NULL), CLV_OK);
    clv_out_abort(&o);
    expect_content(p, "new");
    tmp_remove(d);
}

Test(file, unwritable_places_are_named)
{
    struct clv_error err = {0};
    char d[64], p[128];
    tmp_dir(d);
    in(p, d, "none/a.txt");
    cr_assert_eq(clv_file_write(p, "x", 1, &err), CLV_ERR_WRITE);
    cr_assert_not_null(strstr(err.text, p), "%s", err.text);
    cr_assert_not_null(strstr(err.text, "No such file"), "%s", err.text);
    cr_assert_eq(clv_file_write(d, "x", 1, &err), CLV_ERR_WRITE);
    cr_assert_not_null(strstr(err.text, "directory"), "%s", err.text);
    in(p, d, "locked");
    cr_assert_eq(mkdir(p, 0555), 0);
    in(p, d, "locked/a.txt");
    if (geteuid()) { /* root may write anywhere; /proc refuses even root */
        cr_assert_eq(clv_file_write(p, "x", 1, &err), CLV_ERR_WRITE);
        cr_assert_not_null(strstr(err.text, "Permission denied"), "%s", err.text);
    }
    cr_assert_eq(clv_file_write("/proc/clavicle.txt", "x", 1, &err), CLV_ERR_WRITE);
    cr_assert_not_null(strstr(err.text, "/proc/clavicle.txt"));
    cr_assert_eq(clv_mkdirs("/proc/clavicle/x", &err), CLV_ERR_WRITE);
    tmp_remove(d);
}

Test(file, a_full_disk_is_noticed)
{
    struct clv_error err = {0};
    static char big[100000];
    cr_assert_eq(clv_file_write("/dev/full", "x", 1, &err), CLV_ERR_WRITE);
    cr_assert_not_null(strstr(err.text, "No space left"), "%s", err.text);
    cr_assert_eq(clv_file_write("/dev/full", big, sizeof(big), &err), CLV_ERR_WRITE);
    cr_assert_not_null(strstr(err.text, "/dev/full"));
}

Test(file, devices_are_written_not_replaced)
{
    struct stat st;
    cr_assert_eq(clv_file_write("/dev/null", "x", 1, NULL), CLV_OK);
    cr_assert_eq(stat("/dev/null", &st), 0);
    cr_assert(S_ISCHR(st.st_mode));
}

Test(file, unreadable_files_are_named)
{
    struct clv_error err = {0};
    unsigned char *data;
    size_t size;
    cr_assert_eq(clv_file_read("/none/a", &data, &size, &err), CLV_ERR_IO);
    cr_assert_str_eq(err.text, "cannot read /none/a: No such file or directory");
    cr_assert_eq(clv_file_read("/tmp", &data, &size, &err), CLV_ERR_IO);
    cr_assert_str_eq(err.text, "cannot read /tmp: Is a directory");
    char **names;
    cr_assert_eq(clv_dir_list("/none", &names, &size, &err), CLV_ERR_IO);
}

Test(file, folders)
{
    struct clv_error err = {0};
    char d[64], p[128];
    tmp_dir(d);
    in(p, d, "x//y/z/");
    cr_assert_eq(clv_mkdirs(p, &err), CLV_OK, "%s", err.text);
    cr_assert(clv_dir_exists(p));
    cr_assert_eq(clv_mkdirs(p, &err), CLV_OK);
    cr_assert_not(clv_file_exists(p));
    in(p, d, "file");
    cr_assert_eq(clv_file_write(p, "", 0, &err), CLV_OK);
    cr_assert(clv_file_exists(p));
    cr_assert_not(clv_dir_exists(p));
    in(p, d, "file/below");
    cr_assert_eq(clv_mkdirs(p, &err), CLV_ERR_WRITE);
    in(p, d, "file");
    cr_assert_eq(clv_mkdirs(p, &err), CLV_ERR_WRITE);
    tmp_remove(d);
}

Test(file, listing_is_in_byte_order)
{
    static const char *const names[] = {"b", "a10", "a2", "B", ".hidden", "\xc3\xa4"};
    static const char *const sorted[] = {".hidden", "B", "a10", "a2", "b", "\xc3\xa4"};
    char d[64], p[128], **found;
    size_t n;
    tmp_dir(d);
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(clv_file_write(in(p, d, names[i]), "", 0, NULL), CLV_OK);
    cr_assert_eq(clv_dir_list(d, &found, &n, NULL), CLV_OK);
    cr_assert_eq(n, 6);
    for (size_t i = 0; i < 6; i++)
        cr_assert_str_eq(found[i], sorted[i]);
    clv_list_free(found, n);
    tmp_remove(d);
}

Test(file, paths)
{
    static const char *const join[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < 4; i++) {
        char *p = clv_path_join(join[i][0], join[i][1]);
        cr_assert_str_eq(p, join[i][2]);
        free(p);
    }
    cr_assert_str_eq(clv_path_base("a/b.png"), "b.png");
    cr_assert_str_eq(clv_path_base("b.png"), "b.png");
    cr_assert_str_eq(clv_path_base("a/"), "");
}
