-- A module that requires itself.
-- open: out of its memory limit of 8 MiB
require('loop_required')

return {process = print}
