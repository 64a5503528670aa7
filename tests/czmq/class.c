/* Runs the self-test of one class of CZMQ, which the library exports: class LIBRARY NAME */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    void *library = dlopen(argv[1], RTLD_NOW);
    void (*test)(bool verbose) = library ? dlsym(library, argv[2]) : NULL;
    if (!test) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    test(false);
    return 0;
}
