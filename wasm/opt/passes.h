/* The optimiser's passes, one file each. */
#ifndef QUINCE_OPT_PASSES_H
#define QUINCE_OPT_PASSES_H

#include "opt/opt.h"

#endif
