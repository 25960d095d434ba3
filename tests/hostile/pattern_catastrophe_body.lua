-- A pattern that tries every way to divide a text, before there is a stage.
-- open: pattern_catastrophe_body.lua:3: more than 1000000 instructions for one batch
local found = ('a'):rep(1000):match(('.-'):rep(8) .. 'x')

return {process = function() return found end}
