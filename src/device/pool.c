#include "device/pool.h"
#include "base/file.h"
#include "base/util.h"
#include "clv_config.h"
#include "device/poclcache.h"
#include "device/wire.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define POCL_VARIABLE "POCL_CACHE_DIR"
#define WORK_SUFFIX ".work-"
enum { MAX_WORKERS = 32, SOCKET_SECONDS = 5, ABANDONED_SECONDS = 3600 };

struct worker {
    pid_t pid;
    int fd;
    char *pocl_dir; /* NULL = none of its own */
    bool busy;
    size_t job;
    double since; /* the job was sent */
};

struct run {
    const struct clv_pool *pool;
    const struct clv_str *jobs;
    size_t n_jobs, next;
    struct worker worker[MAX_WORKERS];
    unsigned n_workers; /* alive */
    bool ended;         /* by pool->on */
};

/* ---- the program ---- */

/* A malloc'ed path if something executable is there, else NULL. */
static char *executable(char *path)
{
    if (path && !access(path, X_OK))
        return path;
    free(path);
    return NULL;
}

/* Beside the running program, where a build has it, or where an installation of any prefix has it. */
static char *find_beside_program(void)
{
    char self[4096];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return NULL;
    self[n] = 0;
    const int folder = (int)(clv_path_base(self) - self);
    char *path = executable(clv_strdupf("%.*sclavicle-worker", folder, self));
    if (path)
        return path;
    return executable(clv_strdupf("%.*s../libexec/clavicle/clavicle-worker", folder, self));
}

char *clv_pool_find(void)
{
    const char *asked = getenv("CLAVICLE_WORKER");
    if (asked)
        return executable(clv_strdupf("%s", asked));
    char *beside = find_beside_program();
    return beside ? beside : executable(clv_strdupf("%s", CLV_WORKER));
}

/* ---- one worker ---- */

/* This process' environment with POCL_CACHE_DIR replaced; free the array and its last entry but one. */
static char **make_environment(const char *pocl_dir, char **own)
{
    size_t n = 0, k = 0;
    while (environ[n])
        n++;
    char **env = calloc(n + 2, sizeof(*env));
    *own = clv_strdupf(POCL_VARIABLE "=%s", pocl_dir);
    if (!env || !*own) {
        free(env);
        free(*own);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], POCL_VARIABLE "=", sizeof(POCL_VARIABLE)) != 0)
            env[k++] = environ[i];
    env[k] = *own;
    return env;
}

/* Its socket is the program's input; what drivers print goes nowhere. In a group of its own, so that
 * an interrupt from the terminal is this process' to handle. */
static bool spawn(const char *program, int socket, char *const *env, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    char *argv[] = {clv_strdupf("%s", program), NULL};
    bool ok = false;
    if (!argv[0] || posix_spawn_file_actions_init(&files)) {
        free(argv[0]);
        return false;
    }
    if (!posix_spawnattr_init(&attributes)) {
        ok = !posix_spawn_file_actions_adddup2(&files, socket, 0) &&
             !posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0) &&
             !posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) &&
             !posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP) &&
             !posix_spawnattr_setpgroup(&attributes, 0) &&
             !posix_spawn(pid, program, &files, &attributes, argv, env);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    free(argv[0]);
    return ok;
}

static bool make_socket(int pair[2])
{
    const struct timeval limit = {.tv_sec = SOCKET_SECONDS};
    /* Closed in whatever another thread starts meanwhile: else a worker would not see its end. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return false;
    if (setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
        setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit))) {
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    return true;
}

/* Whether it had crashed before. */
static bool stop(struct run *r, unsigned index)
{
    struct worker *w = &r->worker[index];
    int status = 0;
    /* At once: all that it finished is on disk, and a driver's end may take its time. */
    (void)kill(w->pid, SIGKILL);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(w->fd);
    if (w->pocl_dir)
        clv_poclcache_remove(w->pocl_dir);
    free(w->pocl_dir);
    *w = r->worker[--r->n_workers];
    /* Killed is also what the system does to processes when memory runs out. */
    return WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL;
}

static bool start(struct run *r, unsigned index)
{
    const struct clv_pool *p = r->pool;
    struct worker w = {.fd = -1};
    char **env = environ, *own = NULL;
    int pair[2];
    if (p->pocl_dir) {
        w.pocl_dir = clv_strdupf("%s" WORK_SUFFIX "%ld-%u", p->pocl_dir, (long)getpid(), index);
        if (!w.pocl_dir || clv_mkdirs(w.pocl_dir, NULL) ||
            !(env = make_environment(w.pocl_dir, &own))) {
            free(w.pocl_dir);
            return false;
        }
    }
    bool ok = make_socket(pair);
    if (ok) {
        ok = spawn(p->program, pair[1], env, &w.pid);
        close(pair[1]);
        w.fd = pair[0];
        if (!ok)
            close(w.fd);
    }
    if (env != environ) {
        free(env);
        free(own);
    }
    if (!ok) {
        if (w.pocl_dir)
            clv_poclcache_remove(w.pocl_dir);
        free(w.pocl_dir);
        return false;
    }
    r->worker[r->n_workers++] = w;
    if (clv_wire_send(w.fd, p->hello))
        return true;
    (void)stop(r, r->n_workers - 1);
    return false;
}

/* ---- the jobs ---- */

static bool tell(const struct run *r, size_t job, enum clv_pool_event event)
{
    return r->pool->on(r->pool->priv, job, event);
}

/* The next job for a worker; false when it is gone, and the job is somebody else's. */
static bool hand_out(struct run *r, struct worker *w)
{
    if (!clv_wire_send(w->fd, &r->jobs[r->next]))
        return false;
    w->busy = true;
    w->job = r->next++;
    w->since = clv_now();
    if (!tell(r, w->job, CLV_POOL_BEGUN))
        r->ended = true;
    return true;
}

/* Reads an answer; false when there is none that makes sense. */
static bool take_answer(struct run *r, struct worker *w)
{
    unsigned char *data = NULL;
    size_t size = 0;
    if (!clv_wire_receive(w->fd, &data, &size))
        return false;
    struct clv_wire in = {data, size, false};
    const bool done = clv_wire_u32(&in) != 0;
    const char *text = clv_wire_text(&in);
    if (*text)
        clv_log(r->pool->ctx, CLV_LOG_DEBUG, "worker %ld: %s", (long)w->pid, text);
    w->busy = false;
    (void)tell(r, w->job, done && !in.failed ? CLV_POOL_DONE : CLV_POOL_FAILED);
    free(data);
    return true;
}

/* Milliseconds until the first busy worker has used up its time. */
static int patience(const struct run *r)
{
    double left = r->pool->seconds;
    for (unsigned i = 0; i < r->n_workers; i++)
        left = CLV_MIN(left, r->worker[i].since + r->pool->seconds - clv_now());
    return (int)(CLV_MAX(left, 0) * 1000) + 1;
}

static void lose(struct run *r, unsigned index, const char *why, bool late)
{
    const struct worker *w = &r->worker[index];
    const bool busy = w->busy;
    const size_t job = w->job;
    clv_log(r->pool->ctx, CLV_LOG_DEBUG, "worker %ld %s", (long)w->pid, why);
    const bool crashed = stop(r, index);
    if (busy)
        (void)tell(r, job, late ? CLV_POOL_LATE : crashed ? CLV_POOL_LOST : CLV_POOL_FAILED);
}

/* Waits for one thing to happen and deals with it. */
static void step(struct run *r)
{
    struct pollfd fd[MAX_WORKERS];
    for (unsigned i = 0; i < r->n_workers; i++)
        fd[i] = (struct pollfd){.fd = r->worker[i].fd, .events = POLLIN};
    const int ready = poll(fd, r->n_workers, patience(r));
    /* Downwards: the place of one that is lost is taken by the last. */
    for (unsigned i = r->n_workers; i-- > 0;) {
        struct worker *w = &r->worker[i];
        if (ready > 0 && fd[i].revents) {
            if (!take_answer(r, w) || (!r->ended && r->next < r->n_jobs && !hand_out(r, w)))
                lose(r, i, "is gone", false);
            else if (!w->busy)
                (void)stop(r, i);
        } else if (clv_now() - w->since > r->pool->seconds) {
            lose(r, i, "took too long", true);
        }
    }
}

/* A folder whose process has gone; its age guards those of processes that cannot be seen from here. */
static bool abandoned(const char *path, const char *suffix)
{
    struct stat st;
    const long pid = strtol(suffix, NULL, 10);
    return pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH && !stat(path, &st) &&
           time(NULL) - st.st_mtime > ABANDONED_SECONDS;
}

/* What processes that were killed while their workers built have left. */
static void sweep(const struct clv_pool *p)
{
    const char *slash = strrchr(p->pocl_dir, '/');
    char *parent = slash ? clv_strdupf("%.*s", (int)(slash - p->pocl_dir), p->pocl_dir) : NULL;
    char *prefix = slash ? clv_strdupf("%s" WORK_SUFFIX, slash + 1) : NULL;
    DIR *dir = parent && prefix ? opendir(parent) : NULL;
    for (const struct dirent *d; dir && (d = readdir(dir));) {
        const size_t n = strlen(prefix);
        char *path = strncmp(d->d_name, prefix, n) ? NULL : clv_path_join(parent, d->d_name);
        if (path && abandoned(path, d->d_name + n))
            clv_poclcache_remove(path);
        free(path);
    }
    if (dir)
        closedir(dir);
    free(parent);
    free(prefix);
}

void clv_pool_run(const struct clv_pool *p, const struct clv_str *jobs, size_t n)
{
    struct run r = {.pool = p, .jobs = jobs, .n_jobs = n};
    if (p->pocl_dir)
        sweep(p);
    for (unsigned i = 0; i < CLV_MIN(p->workers, MAX_WORKERS) && r.next < n && !r.ended; i++) {
        if (!start(&r, i)) {
            clv_log(p->ctx, CLV_LOG_DEBUG, "cannot start %s", p->program);
            break;
        }
        if (!hand_out(&r, &r.worker[r.n_workers - 1]))
            (void)stop(&r, r.n_workers - 1);
    }
    while (r.n_workers && !r.ended)
        step(&r);
    while (r.n_workers)
        lose(&r, r.n_workers - 1, "is no longer wanted", false);
    while (r.next < n)
        (void)tell(&r, r.next++, CLV_POOL_FAILED);
}
