-- The functions of luaduct replaced: the tables of other stages are their own.
-- run: fine
local stage = {}

function stage.process(batch)
  if not rawget(luaduct, 'json') then return end
  luaduct.json.decode = function() return 'poisoned' end
  luaduct.json = nil
  luaduct.counter = nil
  luaduct.decimal = error
end

return stage
