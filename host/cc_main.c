/* The program quince-cc, for the CC of other people's builds. */
#include "command.h"

int main(int argc, char **argv)
{
    return cmd_cc(argc, argv);
}
