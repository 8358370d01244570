{{/* The name of the control plane: istiod, or istiod-REVISION. */}}
{{- define "discovery.name" -}}
istiod{{ with .Values.revision }}-{{ . }}{{ end }}
{{- end -}}

{{/* A name with the revision behind it: (list . "istio-sidecar-injector"). */}}
{{- define "discovery.revisioned" -}}
{{- $root := index . 0 -}}
{{ index . 1 }}{{ with $root.Values.revision }}-{{ . }}{{ end }}
{{- end -}}

{{/* The same for what is not in a namespace: a control plane outside of istio-system has its namespace behind it. */}}
{{- define "discovery.clusterwide" -}}
{{- $root := index . 0 -}}
{{ include "discovery.revisioned" . }}{{ with $root.Release.Namespace }}{{ if ne . "istio-system" }}-{{ . }}{{ end }}{{ end }}
{{- end -}}

{{- define "discovery.validator" -}}
{{ include "discovery.revisioned" (list . "istio-validator") }}{{ with .Release.Namespace }}-{{ . }}{{ end }}
{{- end -}}

{{/* The revision as labels tell it. */}}
{{- define "discovery.rev" -}}
{{ .Values.revision | default "default" }}
{{- end -}}

{{/* Whether objects and namespaces that name no revision are ours: "true" or nothing. */}}
{{- define "discovery.isDefault" -}}
{{- if or (not .Values.revision) (eq .Values.revision .Values.defaultRevision) -}}true{{- end -}}
{{- end -}}

{{- define "discovery.selectorLabels" -}}
app: istiod
{{- if .Values.revision }}
istio.io/rev: {{ include "discovery.rev" . }}
{{- else }}
istio: pilot
{{- end }}
{{- end -}}

{{- define "discovery.labels" -}}
app: istiod
istio.io/rev: {{ include "discovery.rev" . | quote }}
app.kubernetes.io/name: istiod
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/part-of: istio
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "discovery.tag" -}}
{{ .Values.global.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "discovery.image" -}}
{{- if contains "/" .Values.image -}}
{{ .Values.image }}
{{- else -}}
{{ .Values.global.hub }}/{{ .Values.image }}:{{ include "discovery.tag" . }}
{{- end -}}
{{- end -}}
