/* A child can close what it inherited, and make contexts of its own; the parent goes on. */
#include "check.h"

#include <sys/wait.h>

static void receive(void *socket)
{
    RECEIVES(socket, "the end");
    CHECK(zmq_close(socket) == 0);
}

static void forks(const char *endpoint)
{
    void *context = zmq_ctx_new();
    void *push = zmq_socket(context, ZMQ_PUSH);
    void *pull = zmq_socket(context, ZMQ_PULL);
    void *waiting = zmq_socket(context, ZMQ_PULL);
    void *ending = zmq_socket(context, ZMQ_PUSH);
    meet_at(pull, push, endpoint);
    meet_at(waiting, ending, endpoint);
    /* Over ipc the connection comes to share memory meanwhile, and the child has none of it. */
    for (int round = 0; round < 1000; round++) {
        SENDS(push, "before", 0);
        RECEIVES(pull, "before");
    }
    /* A thread is inside of a call, with the socket, when the process forks. */
    void *thread = zmq_threadstart(receive, waiting);
    usleep(20000);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(zmq_close(push) == 0);
        CHECK(zmq_close(pull) == 0);
        CHECK(zmq_close(waiting) == 0);
        CHECK(zmq_close(ending) == 0);
        FAILS(zmq_close(push), ENOTSOCK);
        CHECK(zmq_ctx_term(context) == 0);
        FAILS(zmq_ctx_term(context), EFAULT);
        context = zmq_ctx_new();
        push = zmq_socket(context, ZMQ_PUSH);
        pull = zmq_socket(context, ZMQ_PULL);
        meet_at(pull, push, endpoint);
        SENDS(push, "in the child", 0);
        RECEIVES(pull, "in the child");
        CHECK(zmq_close(push) == 0);
        CHECK(zmq_close(pull) == 0);
        CHECK(zmq_ctx_term(context) == 0);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    SENDS(push, "after", 0);
    RECEIVES(pull, "after");
    SENDS(ending, "the end", 0);
    zmq_threadclose(thread);
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(pull) == 0);
    CHECK(zmq_close(ending) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

int main(void)
{
    forks("tcp://127.0.0.1:*");
    forks("ipc://*");
    return 0;
}
