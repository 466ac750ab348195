/* clavicle-worker: the library starts it to compile kernels in processes of their own. Of no use by hand:
 * it speaks device/wire.h with the socket that is its standard input. */
#include "device/worker.h"

int main(void)
{
    return clv_worker_serve(0);
}
