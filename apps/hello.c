/* The smallest program: one line, then the machine ends. */
#include <stdio.h>

int main(void)
{
    puts("Hello from Quince");
    return 0;
}
