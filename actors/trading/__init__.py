"""Pure trading: instruments, books, quotes, orders, exposure, pricing. Nothing here awaits."""
