/* The options of contexts, by what they do to the threads and messages. */
#define _GNU_SOURCE
#include "check.h"

#include <dirent.h>
#include <limits.h>
#include <sched.h>

/* The thread whose name begins so; 0 if there is none. */
static pid_t thread_named(const char *name)
{
    pid_t found = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks);
    for (struct dirent *task; (task = readdir(tasks));) {
        char path[300], comm[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        if (fgets(comm, sizeof comm, file) && strncmp(comm, name, strlen(name)) == 0)
            found = atoi(task->d_name);
        fclose(file);
    }
    closedir(tasks);
    return found;
}

/* A socket that needs a worker. */
static void *with_worker(void *context)
{
    void *socket = zmq_socket(context, ZMQ_PULL);
    CHECK(socket);
    CHECK(zmq_bind(socket, "tcp://127.0.0.1:*") == 0);
    return socket;
}

static void names(void)
{
    void *context = zmq_ctx_new();
    char name[16];
    size_t size = sizeof name;
    CHECK(zmq_ctx_get(context, ZMQ_THREAD_NAME_PREFIX) == 0);
    CHECK(zmq_ctx_get_ext(context, ZMQ_THREAD_NAME_PREFIX, name, &size) == 0);
    CHECK(size == 0);
    /* Four bytes are a number, as in libzmq. */
    CHECK(zmq_ctx_set(context, ZMQ_THREAD_NAME_PREFIX, 1234) == 0);
    CHECK(zmq_ctx_get(context, ZMQ_THREAD_NAME_PREFIX) == 1234);
    void *socket = with_worker(context);
    CHECK(thread_named("1234/"));
    CHECK(zmq_close(socket) == 0);
    CHECK(zmq_ctx_term(context) == 0);

    const char prefix[] = "MyPrefix9012345";
    context = zmq_ctx_new();
    CHECK(zmq_ctx_set_ext(context, ZMQ_THREAD_NAME_PREFIX, prefix, sizeof prefix) == 0);
    size = sizeof name;
    CHECK(zmq_ctx_get_ext(context, ZMQ_THREAD_NAME_PREFIX, name, &size) == 0);
    CHECK(size == sizeof prefix && strcmp(name, prefix) == 0);
    size = 3;
    FAILS(zmq_ctx_get_ext(context, ZMQ_THREAD_NAME_PREFIX, name, &size), EINVAL);
    CHECK(!thread_named(prefix));
    socket = with_worker(context);
    CHECK(thread_named(prefix));
    CHECK(zmq_close(socket) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

static void cores(void)
{
    cpu_set_t ours, set;
    CHECK(sched_getaffinity(0, sizeof ours, &ours) == 0);
    int last = -1, count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &ours)) {
            last = cpu;
            count++;
        }
    void *context = zmq_ctx_new();
    CHECK(zmq_ctx_set(context, ZMQ_THREAD_NAME_PREFIX, 7777) == 0);
    for (int cpu = 0; cpu <= last; cpu++)
        CHECK(zmq_ctx_set(context, ZMQ_THREAD_AFFINITY_CPU_ADD, cpu) == 0);
    if (count > 1)
        CHECK(zmq_ctx_set(context, ZMQ_THREAD_AFFINITY_CPU_REMOVE, last) == 0);
    void *socket = with_worker(context);
    pid_t worker = thread_named("7777/");
    CHECK(worker);
    CHECK(sched_getaffinity(worker, sizeof set, &set) == 0);
    CHECK(CPU_COUNT(&set) == (count > 1 ? count - 1 : 1));
    CHECK(count == 1 || !CPU_ISSET(last, &set));
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    CHECK(CPU_EQUAL(&set, &ours));
    CHECK(zmq_close(socket) == 0);
    CHECK(zmq_ctx_term(context) == 0);
    /* A core that there is not is found out when a thread is to run there. */
    context = zmq_ctx_new();
    CHECK(zmq_ctx_set(context, ZMQ_THREAD_AFFINITY_CPU_ADD, 1000) == 0);
    socket = zmq_socket(context, ZMQ_PULL);
    FAILS(zmq_bind(socket, "tcp://127.0.0.1:*"), EINVAL);
    CHECK(zmq_close(socket) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

static void scheduling(void)
{
    void *context = zmq_ctx_new();
    CHECK(zmq_ctx_get(context, ZMQ_THREAD_SCHED_POLICY) == ZMQ_THREAD_SCHED_POLICY_DFLT);
    CHECK(zmq_ctx_set(context, ZMQ_THREAD_NAME_PREFIX, 8888) == 0);
    CHECK(zmq_ctx_set(context, ZMQ_THREAD_SCHED_POLICY, SCHED_BATCH) == 0);
    CHECK(zmq_ctx_get(context, ZMQ_THREAD_SCHED_POLICY) == SCHED_BATCH);
    void *socket = with_worker(context);
    CHECK(sched_getscheduler(thread_named("8888/")) == SCHED_BATCH);
    CHECK(sched_getscheduler(0) == SCHED_OTHER);
    CHECK(zmq_close(socket) == 0);
    CHECK(zmq_ctx_term(context) == 0);
    /* Real time is for those who may. */
    context = zmq_ctx_new();
    CHECK(zmq_ctx_set(context, ZMQ_THREAD_NAME_PREFIX, 9999) == 0);
    CHECK(zmq_ctx_set(context, ZMQ_THREAD_SCHED_POLICY, SCHED_FIFO) == 0);
    CHECK(zmq_ctx_set(context, ZMQ_THREAD_PRIORITY, 17) == 0);
    /* The same number, to be read, is the limit of sockets. */
    CHECK(zmq_ctx_get(context, ZMQ_THREAD_PRIORITY) == 65535);
    socket = zmq_socket(context, ZMQ_PULL);
    if (zmq_bind(socket, "tcp://127.0.0.1:*") == 0) {
        struct sched_param param;
        pid_t worker = thread_named("9999/");
        CHECK(sched_getscheduler(worker) == SCHED_FIFO);
        CHECK(sched_getparam(worker, &param) == 0 && param.sched_priority == 17);
    } else
        CHECK(zmq_errno() == EPERM);
    CHECK(zmq_close(socket) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

/* Two bodies of 20000 bytes that come together: whether the first is a part of what they were received into. */
static int arrives_shared(int zero_copy)
{
    static char body[20000];
    void *context = zmq_ctx_new();
    CHECK(zmq_ctx_get(context, ZMQ_ZERO_COPY_RECV) == 1);
    CHECK(zmq_ctx_set(context, ZMQ_ZERO_COPY_RECV, zero_copy) == 0);
    CHECK(zmq_ctx_get(context, ZMQ_ZERO_COPY_RECV) == zero_copy);
    void *pull = zmq_socket(context, ZMQ_PULL);
    void *push = zmq_socket(context, ZMQ_PUSH);
    meet(pull, push);
    int shared = 0;
    zmq_msg_t first, second;
    CHECK(zmq_msg_init(&first) == 0);
    CHECK(zmq_msg_init(&second) == 0);
    for (int i = 0; i < 100; i++) {
        CHECK(zmq_send(push, body, sizeof body, ZMQ_SNDMORE) == sizeof body);
        CHECK(zmq_send(push, body, sizeof body, 0) == sizeof body);
        CHECK(zmq_msg_recv(&first, pull, 0) == sizeof body);
        shared += zmq_msg_get(&first, ZMQ_SHARED);
        CHECK(zmq_msg_recv(&second, pull, 0) == sizeof body);
    }
    CHECK(zmq_msg_close(&first) == 0);
    CHECK(zmq_msg_close(&second) == 0);
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(pull) == 0);
    CHECK(zmq_ctx_term(context) == 0);
    return shared;
}

static void limits(void)
{
    void *context = zmq_ctx_new();
    CHECK(zmq_ctx_get(context, ZMQ_SOCKET_LIMIT) == 65535);
    CHECK(zmq_ctx_get(context, ZMQ_MSG_T_SIZE) == sizeof(zmq_msg_t));
    CHECK(zmq_ctx_get(context, ZMQ_MAX_MSGSZ) == INT_MAX);
    CHECK(zmq_ctx_set(context, ZMQ_MAX_MSGSZ, 10) == 0);
    void *pair = zmq_socket(context, ZMQ_PAIR);
    void *other = zmq_socket(context, ZMQ_PAIR);
    CHECK(zmq_bind(pair, "inproc://limits") == 0);
    CHECK(zmq_connect(other, "inproc://limits") == 0);
    zmq_msg_t msg;
    CHECK(zmq_msg_init_size(&msg, 11) == 0);
    FAILS(zmq_msg_send(&msg, pair, 0), EMSGSIZE);
    CHECK(zmq_msg_size(&msg) == 11);
    CHECK(zmq_msg_close(&msg) == 0);
    FAILS(zmq_send(pair, "eleven byte", 11, 0), EMSGSIZE);
    FAILS(zmq_send(pair, "eleven byte", 11, ZMQ_SNDMORE), EMSGSIZE);
    SENDS(pair, "ten bytes!", ZMQ_SNDMORE);
    SENDS(pair, "ten bytes!", 0);
    RECEIVES(other, "ten bytes!");
    RECEIVES(other, "ten bytes!");
    CHECK(zmq_close(pair) == 0);
    CHECK(zmq_close(other) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

int main(void)
{
    names();
    cores();
    scheduling();
    CHECK(arrives_shared(1) > 0);
    CHECK(arrives_shared(0) == 0);
    limits();
    return 0;
}
