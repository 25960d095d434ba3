-- All that a stage can reach is its own: no other stage sees what it does to it.
-- run: fine
local stage, all = {}, _G

function stage.process(batch)
  if batch:count() == 0 or poisoned then return end
  for _, name in ipairs {'string', 'table', 'math', 'utf8', 'os', 'coroutine', 'luaduct'} do
    for key in pairs(all[name]) do all[name][key] = 'poison' end
  end
  for key in next, all do all[key] = nil end
  all.poisoned = true
end

return stage
