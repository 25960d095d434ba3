-- Another file, compiled.
-- run: dirty global 'loadfile'
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  loadfile('/etc/passwd')
end

return stage
