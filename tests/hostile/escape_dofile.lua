-- Another file.
-- run: dirty global 'dofile'
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  dofile('/etc/passwd')
end

return stage
